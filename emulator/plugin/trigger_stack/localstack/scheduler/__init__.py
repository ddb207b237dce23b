"""Amazon EventBridge Scheduler: schedules fire."""
