"""Messages of SNS topics on their way to a subscription."""
