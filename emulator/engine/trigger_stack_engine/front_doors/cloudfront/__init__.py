"""CloudFront distributions: cache behaviours, the cache, origins and Lambda@Edge."""
