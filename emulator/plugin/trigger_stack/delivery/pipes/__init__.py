"""EventBridge Pipes: what happens to a batch between a source and a target.

``settings`` reads a pipe's description and makes the settings of the pollers for queues and streams
from it; ``events`` are the records as pipes show them; ``paths`` and ``templates`` fill in JSON
paths and input templates; ``entries`` make the requests of a target's batch operation;
``execution`` takes a batch through enrichment and target.
"""
