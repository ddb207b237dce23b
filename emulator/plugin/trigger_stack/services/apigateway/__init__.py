"""Amazon API Gateway REST APIs: what their mapping templates see.

``java_values`` has the methods of Java's values, ``json_paths`` JSONPath, ``open_api`` the gateway
responses of an OpenAPI document. Nothing here knows of LocalStack.
"""
