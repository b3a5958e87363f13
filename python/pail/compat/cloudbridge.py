"""install(): programs that import cloudbridge run on Pail, for their object storage.

    import pail.compat.cloudbridge
    pail.compat.cloudbridge.install()
    from cloudbridge.factory import CloudProviderFactory, ProviderList
"""
import importlib.util
import logging
import sys
import types

from .. import config, events, exceptions, factory, multipart, objects, providers, results, storage

# The version whose interface this is.
VERSION = "4.4.2"
TRACE = 5

log = logging.getLogger("cloudbridge")


class CloudServiceType:
    COMPUTE = "compute"
    IMAGE = "image"
    SECURITY = "security"
    VOLUME = "storage.volumes"
    BUCKET = "storage.buckets"
    DNS = "dns"


class InstanceState:
    UNKNOWN, PENDING, RUNNING, REBOOTING, DELETED, STOPPED, ERROR = (
        "unknown", "pending", "running", "rebooting", "deleted", "stopped", "error")


class MachineImageState:
    UNKNOWN, PENDING, AVAILABLE, ERROR = "unknown", "pending", "available", "error"


class NetworkState:
    UNKNOWN, PENDING, AVAILABLE, DOWN, ERROR = "unknown", "pending", "available", "down", "error"


class SubnetState(NetworkState):
    pass


class SnapshotState(MachineImageState):
    CONFIGURING = "configuring"


class VolumeState:
    UNKNOWN, CREATING, AVAILABLE, IN_USE, DELETED, ERROR = (
        "unknown", "creating", "available", "in-use", "deleted", "error")


class FloatingIpState:
    UNKNOWN, AVAILABLE, IN_USE, ERROR = "unknown", "available", "in_use", "error"


class Elsewhere:
    """What Pail has not: there for imports and isinstance(), which it never satisfies."""


def cleanup_action(action):
    """A context manager that runs an action at the end; that it fails is logged and no more."""
    import contextlib

    @contextlib.contextmanager
    def cleanup():
        try:
            yield
        finally:
            try:
                action()
            except Exception as error:
                log.exception("Error during cleanup: %s", error)

    return cleanup()


def filter_by(prop_name, kwargs, objs):
    """Those whose property matches kwargs[prop_name] from its start to its end, with * ? []."""
    import fnmatch
    wanted = kwargs.pop(prop_name, None)
    return [o for o in objs if wanted is None or getattr(o, prop_name) == wanted
            or fnmatch.fnmatchcase(getattr(o, prop_name), wanted)]


def generic_find(filter_names, kwargs, objs):
    """As filter_by over several properties; raises InvalidParamException for others."""
    for name in filter_names:
        objs = filter_by(name, kwargs, objs)
    if kwargs:
        raise exceptions.InvalidParamException(
            f"Unrecognised parameters for search: {kwargs}. Supported: {filter_names}")
    return objs


def to_resource_name(value, replace_with="-"):
    """A text as a name: lower case, other signs replaced."""
    import re
    return re.sub(r"[^a-zA-Z0-9]+", replace_with, str(value)).strip(replace_with).lower()


class EventDebugLoggingMiddleware:
    """Logs what each call was given and what it returned."""

    log = logging.getLogger("cloudbridge.base.middleware")

    @events.observe("*", priority=100)
    def pre_log_event(self, event_args, *args, **kwargs):
        self.log.debug("Event: %s, args: %s, kwargs: %s", event_args["event"], args, kwargs)

    @events.observe("*", priority=4900)
    def post_log_event(self, event_args, *args, **kwargs):
        self.log.debug("Event: %s, result: %s", event_args["event"], event_args.get("result"))


class ExceptionWrappingMiddleware:
    """Whatever a handler raises is below CloudBridgeBaseException, as all of Pail's own is."""

    @events.intercept("*", priority=1050)
    def wrap_exception(self, event_args, *args, **kwargs):
        follower = event_args["next_handler"]
        try:
            return follower.invoke(event_args, *args, **kwargs) if follower else None
        except exceptions.CloudBridgeBaseException:
            raise
        except Exception as error:
            raise exceptions.CloudBridgeBaseException(
                f"{type(error).__name__}: {error}") from error


def init_logging():
    log.addHandler(logging.NullHandler())


def set_stream_logger(name, level=TRACE, format_string=None):
    return _add_handler(logging.StreamHandler(), name, level, format_string)


def set_file_logger(name, filepath, level=logging.INFO, format_string=None):
    return _add_handler(logging.FileHandler(filepath), name, level, format_string)


def _add_handler(handler, name, level, format_string):
    handler.setFormatter(logging.Formatter(
        format_string or "%(asctime)s %(name)s [%(levelname)s]: %(message)s"))
    handler.setLevel(level)
    logger = logging.getLogger(name)
    logger.setLevel(level)
    logger.addHandler(handler)
    return logger


def get_version():
    return VERSION


RESOURCES = {
    "CloudResource": Elsewhere, "LabeledCloudResource": Elsewhere, "ObjectLifeCycleMixin": Elsewhere,
    "PageableObjectMixin": Elsewhere, "ResultList": results.ResultList,
    "Configuration": config.Configuration, "CloudServiceType": CloudServiceType,
    "Bucket": storage.Bucket, "BucketObject": objects.BucketObject,
    "MultipartUpload": multipart.MultipartUpload, "UploadPart": multipart.UploadPart,
    "TransferConfig": config.TransferConfig, "FloatingIpState": FloatingIpState,
    "NetworkState": NetworkState, "SubnetState": SubnetState, "InstanceState": InstanceState,
    "MachineImageState": MachineImageState, "SnapshotState": SnapshotState,
    "VolumeState": VolumeState, "Region": Elsewhere, "LaunchConfig": Elsewhere,
}
PROVIDER = {"CloudProvider": providers.CloudProvider,
            "TestMockHelperMixin": providers.TestMockHelperMixin,
            "ContainerProvider": Elsewhere, "DeploymentProvider": Elsewhere}
FACTORY = {"CloudProviderFactory": factory.CloudProviderFactory,
           "ProviderList": factory.ProviderList}
ERRORS = {name: getattr(exceptions, name) for name in (
    "CloudBridgeBaseException", "WaitStateException", "InvalidConfigurationException",
    "ProviderInternalException", "ProviderConnectionException", "InvalidNameException",
    "InvalidLabelException", "InvalidValueException", "InvalidParamException",
    "DuplicateResourceException")}
SERVICES = {"CloudService": Elsewhere, "StorageService": storage.StorageService,
            "BucketService": storage.BucketService,
            "BucketObjectService": objects.BucketObjectService}

MODULES = {
    "cloudbridge": {
        "__version__": VERSION, "get_version": get_version, "init_logging": init_logging,
        "TRACE": TRACE, "set_stream_logger": set_stream_logger,
        "set_file_logger": set_file_logger, "log": log},
    "cloudbridge.factory": FACTORY,
    "cloudbridge.cloud": {},
    "cloudbridge.cloud.factory": FACTORY,  # before 2.0
    "cloudbridge.interfaces": {
        **PROVIDER, "CloudServiceType": CloudServiceType,
        "InvalidConfigurationException": exceptions.InvalidConfigurationException,
        "InstanceState": InstanceState, "LaunchConfig": Elsewhere,
        "MachineImageState": MachineImageState, "NetworkState": NetworkState, "Region": Elsewhere,
        "SnapshotState": SnapshotState, "VolumeState": VolumeState},
    "cloudbridge.interfaces.exceptions": ERRORS,
    "cloudbridge.interfaces.provider": PROVIDER,
    "cloudbridge.interfaces.resources": RESOURCES,
    "cloudbridge.interfaces.services": SERVICES,
    "cloudbridge.interfaces.subservices": {
        "BucketObjectSubService": objects.BucketObjectSubService},
    "cloudbridge.base": {},
    "cloudbridge.base.helpers": {
        "cleanup_action": cleanup_action, "get_env": config.get_env, "filter_by": filter_by,
        "generic_find": generic_find, "to_resource_name": to_resource_name},
    "cloudbridge.base.resources": {
        "BaseBucketObject": objects.BucketObject, "BaseBucket": storage.Bucket,
        "BaseMultipartUpload": multipart.MultipartUpload, "BaseUploadPart": multipart.UploadPart,
        "BaseResultList": results.ResultList,
        "ServerPagedResultList": results.ServerPagedResultList,
        "ClientPagedResultList": results.ClientPagedResultList,
        "BasePageableObjectMixin": Elsewhere, "BaseCloudResource": Elsewhere},
    "cloudbridge.base.middleware": {
        "dispatch": lambda event, priority: events.event,
        "EventDebugLoggingMiddleware": EventDebugLoggingMiddleware,
        "ExceptionWrappingMiddleware": ExceptionWrappingMiddleware},
    "cloudbridge.base.provider": {"BaseCloudProvider": providers.CloudProvider,
                                  "BaseConfiguration": config.Configuration},
    "cloudbridge.providers": {},
    "cloudbridge.providers.aws": {"AWSCloudProvider": providers.AWSCloudProvider},
    "cloudbridge.providers.aws.services": {"AWSImageService": Elsewhere},
    "cloudbridge.providers.azure": {"AzureCloudProvider": providers.AzureCloudProvider},
    "cloudbridge.providers.gcp": {"GCPCloudProvider": providers.GCPCloudProvider},
    "cloudbridge.providers.openstack": {
        "OpenStackCloudProvider": providers.OpenStackCloudProvider},
    "cloudbridge.providers.mock": {"MockAWSCloudProvider": providers.MockCloudProvider},
}

# The package that CloudBridge's users take its decorators from. Marks of its own are understood.
EVENT_MODULES = {
    "pyeventsystem": {},
    "pyeventsystem.events": {"SimpleEventDispatcher": events.Events},
    "pyeventsystem.middleware": {
        "observe": events.observe, "intercept": events.intercept, "implement": events.implement,
        "SimpleMiddlewareManager": events.Middleware},
}


def _has_event_package():
    """Whether the real one is there."""
    there = sys.modules.get("pyeventsystem")
    if there is not None:
        return not hasattr(there, "__pail__")
    return importlib.util.find_spec("pyeventsystem") is not None


def install():
    """Makes `import cloudbridge` and what is below it give Pail's classes, for this process.

    Raises ImportError where CloudBridge itself was imported before.
    """
    there = sys.modules.get("cloudbridge")
    if there is not None and not hasattr(there, "__pail__"):
        raise ImportError("cloudbridge was imported before install(): call install() first")
    modules = MODULES if _has_event_package() else {**MODULES, **EVENT_MODULES}
    for name, content in modules.items():
        module = types.ModuleType(name, "Pail in the place of CloudBridge.")
        module.__path__ = []
        module.__pail__ = True
        vars(module).update(content)
        sys.modules[name] = module
    for name in modules:
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, sys.modules[name])


def uninstall():
    """Takes away what install() put there."""
    for name in (*MODULES, *EVENT_MODULES):
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "__pail__"):
            del sys.modules[name]
