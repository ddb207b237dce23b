"""Amazon CloudFront: the control plane; the engine serves distributions."""
