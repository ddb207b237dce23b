"""Amazon EventBridge: what the open release leaves out of delivering to targets."""
