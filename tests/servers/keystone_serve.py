"""Serve Keystone's WSGI application: serve.py HOST PORT."""
import sys
host, port = sys.argv[1], int(sys.argv[2])
sys.argv = sys.argv[:1]
from keystone.wsgi.api import application
from werkzeug.serving import WSGIRequestHandler, run_simple


class Handler(WSGIRequestHandler):
    protocol_version = 'HTTP/1.1'


run_simple(host, port, application, threaded=True, request_handler=Handler)
