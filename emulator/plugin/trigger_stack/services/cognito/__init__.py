"""Amazon Cognito user pools: sign-up, sign-in and tokens, with their Lambda triggers."""
