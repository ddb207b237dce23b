"""LocalStack plugin of Trigger Stack: the services that the open release lacks."""
