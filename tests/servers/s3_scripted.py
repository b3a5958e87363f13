#!/usr/bin/env python3
"""Start the scripted S3 server: s3_scripted.py --port 0 --personality aws"""

import sys

from s3_scripted.server import main

if __name__ == '__main__':
    sys.exit(main())
