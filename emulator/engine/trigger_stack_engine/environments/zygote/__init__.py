"""The program that execution environments are forked from; runs in the functions' interpreter."""
