"""An HTTP/1.1 server for a WSGI application (PEP 3333), for many connections that are mostly idle.

- ``server.py``: threads that wait for connections with something to read, all on one ``epoll``
- ``connection.py``: one connection: reads requests, has them answered, one after the other
- ``wsgi.py``: a request as the application gets it, and the response as the client gets it
"""
