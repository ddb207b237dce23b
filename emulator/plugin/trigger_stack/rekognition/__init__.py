"""Rekognition on this machine: labels, colours and text from models that set-up installs."""
