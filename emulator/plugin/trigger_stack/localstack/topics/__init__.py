"""Amazon SNS: messages of topics reach their endpoints, or are tried again."""
