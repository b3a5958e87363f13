"""S3 error codes: status, message, XML."""

from . import xmlio
from .xmlio import document, element

TABLE = {
    'AccessDenied': (403, 'Access Denied'),
    'AuthorizationHeaderMalformed': (400, 'The authorization header is malformed.'),
    'AuthorizationQueryParametersError': (400, 'Error parsing the query authorization.'),
    'BadDigest': (400, 'The Content-MD5 you specified did not match what we received.'),
    'BucketAlreadyExists': (409, 'The requested bucket name is not available.'),
    'BucketAlreadyOwnedByYou': (409, 'Your previous request to create the named bucket succeeded '
                                     'and you already own it.'),
    'BucketNotEmpty': (409, 'The bucket you tried to delete is not empty'),
    'ConditionalRequestConflict': (409, 'A conflicting conditional operation is currently in '
                                        'progress against this resource. Please try again.'),
    'EntityTooLarge': (400, 'Your proposed upload exceeds the maximum allowed object size.'),
    'EntityTooSmall': (400, 'Your proposed upload is smaller than the minimum allowed size'),
    'ExcessHeaderValues': (400, 'Multiple HTTP header values where one was expected.'),
    'ExpiredToken': (400, 'The provided token has expired.'),
    'FileAlreadyExists': (409, 'The object you specified already exists and can not be '
                               'overwritten.'),
    'IllegalLocationConstraintException': (400, 'The location constraint is incompatible for the '
                                                'region specific endpoint this request was sent '
                                                'to.'),
    'IncompleteBody': (400, 'The request body terminated unexpectedly'),
    'InternalError': (500, 'We encountered an internal error. Please try again.'),
    'InvalidAccessKeyId': (403, 'The AWS Access Key Id you provided does not exist in our '
                                'records.'),
    'InvalidArgument': (400, 'Invalid Argument'),
    'InvalidBucketName': (400, 'The specified bucket is not valid.'),
    'InvalidBucketState': (409, 'The request is not valid for the current state of the bucket.'),
    'InvalidChunkSizeError': (403, 'Only the last chunk is allowed to have a size less than 8192 '
                                   'bytes'),
    'InvalidDigest': (400, 'The Content-MD5 you specified was invalid'),
    'InvalidLocationConstraint': (400, 'The specified location-constraint is not valid'),
    'InvalidObjectState': (403, "The operation is not valid for the object's storage class"),
    'InvalidPart': (400, 'One or more of the specified parts could not be found.'),
    'InvalidPartNumber': (416, 'The requested partnumber is not satisfiable'),
    'InvalidPartOrder': (400, 'The list of parts was not in ascending order.'),
    'InvalidRange': (416, 'The requested range is not satisfiable'),
    'InvalidRequest': (400, 'Invalid Request'),
    'InvalidStorageClass': (400, 'The storage class you specified is not valid'),
    'InvalidTag': (400, 'The tag provided was not a valid tag.'),
    'InvalidToken': (400, 'The provided token is malformed or otherwise invalid.'),
    'InvalidURI': (400, "Couldn't parse the specified URI."),
    'KeyTooLongError': (400, 'Your key is too long'),
    'MalformedXML': (400, 'The XML you provided was not well-formed or did not validate against '
                          'our published schema'),
    'MalformedTrailerError': (400, 'The request contained trailing data that was not well-formed '
                                   'or did not conform to our published schema.'),
    'MetadataTooLarge': (400, 'Your metadata headers exceed the maximum allowed metadata size'),
    'MethodNotAllowed': (405, 'The specified method is not allowed against this resource.'),
    'MissingContentLength': (411, 'You must provide the Content-Length HTTP header.'),
    'MissingContentMD5': (400, 'Missing required header for this request: Content-MD5'),
    'NoSuchBucket': (404, 'The specified bucket does not exist'),
    'NoSuchKey': (404, 'The specified key does not exist.'),
    'NoSuchTagSet': (404, 'The TagSet does not exist'),
    'NoSuchUpload': (404, 'The specified multipart upload does not exist. The upload ID may be '
                          'invalid, or the upload may have been aborted or completed.'),
    'NoSuchVersion': (404, 'The specified version does not exist.'),
    'NotImplemented': (501, 'A header you provided implies functionality that is not '
                            'implemented'),
    'NotModified': (304, 'Not Modified'),
    'PermanentRedirect': (301, 'The bucket you are attempting to access must be addressed using '
                               'the specified endpoint.'),
    'PreconditionFailed': (412, 'At least one of the pre-conditions you specified did not hold'),
    'RequestTimeout': (400, 'Your socket connection to the server was not read from or written '
                            'to within the timeout period.'),
    'RequestTimeTooSkewed': (403, 'The difference between the request time and the current time '
                                  'is too large.'),
    'SecondLevelDomainForbidden': (403, 'The bucket you are attempting to access must be '
                                        'addressed using virtual hosted style.'),
    'ServiceUnavailable': (503, 'Service is unable to handle request.'),
    'SignatureDoesNotMatch': (403, 'The request signature we calculated does not match the '
                                   'signature you provided. Check your key and signing method.'),
    'SlowDown': (503, 'Please reduce your request rate.'),
    'TemporaryRedirect': (307, 'Please re-send this request to the specified temporary '
                               'endpoint.'),
    'TooManyRequests': (429, 'Reduce your concurrent request rate for the same object.'),
    'XAmzContentSHA256Mismatch': (400, "The provided 'x-amz-content-sha256' header does not "
                                       'match what was computed.'),
}


class S3Error(Exception):
    """An answer with a code. `fields` become elements of the XML, `headers` header lines."""

    def __init__(self, code, message=None, status=None, headers=(), **fields):
        known = TABLE.get(code, (400, code))
        super().__init__(code)
        self.code = code
        self.status = status or known[0]
        self.message = message or known[1]
        self.headers = list(headers)
        self.fields = fields


def error_body(error, resource, request_id):
    fields = [element(name, value) for name, value in error.fields.items() if value is not None]
    return document('Error', element('Code', error.code), element('Message', error.message),
                    *fields, element('Resource', resource), element('RequestId', request_id),
                    element('HostId', 'scripted'), xmlns=False)


def parse_xml(body):
    """The root of an XML body, or MalformedXML."""
    root = xmlio.parse(body)
    if root is None:
        raise S3Error('MalformedXML')
    return root
