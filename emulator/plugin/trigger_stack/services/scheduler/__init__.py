"""Amazon EventBridge Scheduler: what a request must be like."""
