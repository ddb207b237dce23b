"""Application Load Balancers: what their control plane decides without LocalStack."""
