"""A scripted S3 server for tests: a correct core, personalities of other services, faults on demand.

Modules, from the wire upwards:
  wire         sockets, request and response heads, keep-alive, sending
  errors       the table of S3 error codes and their XML
  crc          CRC32C and CRC64NVME without extension modules
  sums         checksum headers: which there are, how they are computed and compared
  sigv4        signature verification (header, query) and the aws-chunked body forms
  data         object contents: bytes, generated streams, joined parts
  store        buckets, versions, uploads in memory
  personality  what each imitated service does differently, as a table
  faults       the rules that a test loads to break things
  control      the /-/ endpoint: script, log, state, config
  listing, buckets, objects, multipart   the S3 operations
  server       one request from head to answer; command line
"""
