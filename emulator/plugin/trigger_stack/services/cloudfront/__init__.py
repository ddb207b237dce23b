"""Amazon CloudFront: moto's control plane, so that an invalidation can be made and read back."""
