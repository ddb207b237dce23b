"""Mail that SES receives: from the SMTP port through receipt rules to their actions."""
