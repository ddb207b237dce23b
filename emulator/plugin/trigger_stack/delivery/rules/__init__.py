"""Events of rules and schedules, on their way to targets."""
