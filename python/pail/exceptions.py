"""All exceptions, in one tree below Error; `code` names each for programs: 'not_found'."""
from ._pail import (  # noqa: F401
    Archived, BadArgument, BadBucketName, BadConfig, BadKey, BadRange, BucketExists,
    BucketNotEmpty, BucketNotFound, Callback, Cancelled, Changed, Checksum, ClockSkew, Conflict,
    Connect, Dns, DuplicateResourceException, Error, Exists, ExpiredCredentials, Forbidden, Forked,
    Internal, InvalidConfigurationException, InvalidNameException, Io, NoCredentials, NoMemory,
    NoSpace, NotFound, NotModified, PreconditionFailed, Protocol, ProviderConnectionException,
    ProviderInternalException, Throttled, Timeout, Tls, TooLarge, Unauthenticated, Unavailable,
    Unsupported, UploadNotFound, VersionNotFound, WrongRegion)

CloudBridgeBaseException = Error


class InvalidParamException(InvalidNameException):
    """A search by something that cannot be searched by."""


class InvalidLabelException(InvalidNameException):
    """A label that nothing can have. Object storage has no labels: for CloudBridge's users."""


class WaitStateException(Error):
    """Waited too long. Object storage has nothing to wait for: for CloudBridge's users."""


class InvalidValueException(Error):
    """A parameter with a value that makes no sense."""

    def __init__(self, param, value):
        super().__init__(f"Param {param} has been given an unrecognised value {value}")
        self.param, self.value = param, value

    def __reduce__(self):
        return type(self), (self.param, self.value)
