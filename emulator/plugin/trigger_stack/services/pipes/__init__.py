"""Amazon EventBridge Pipes: the control plane."""
