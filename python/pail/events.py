"""Events: what a program hooks around a provider's calls.

    class Audit:
        @observe('provider.storage.*', priority=2000)
        def seen(self, event_args, *args, **kwargs):
            print(event_args['event'], args)

        @intercept('provider.storage.buckets.create', priority=2100)
        def with_prefix(self, event_args, name, **kwargs):
            return event_args['next_handler'].invoke(event_args, 'team-' + name, **kwargs)

    provider.middleware.add(Audit())

An event is `provider.storage.buckets.` or `provider.storage._bucket_objects.` and the name of a
method. Handlers run in the order of their priorities; the call itself is at 2500, and behind it
event_args['result'] is what it returned. A method that another one calls is an event of its own.
Without a handler nothing is looked up.
"""
from __future__ import annotations

import fnmatch
import functools
from typing import Any, Callable

MAIN = 2500
KINDS = ("observe", "intercept", "implement")
_MARK = "__event_handler"


class Handler:
    """What was subscribed. `callback` is told event_args first, unless it implements."""

    def __init__(self, pattern: str, priority: int, callback: Callable[..., Any],
                 kind: str) -> None:
        self.event_pattern, self.priority = pattern, priority
        self.callback, self.kind = callback, kind
        self._events: Any = None

    def unsubscribe(self) -> None:
        """It is asked no more. Again: nothing."""
        if self._events is not None:
            self._events.unsubscribe(self)


def _mark(kind: str) -> Callable[[str, int], Callable[[Any], Any]]:
    def decorator(event_pattern, priority):
        def marked(function):
            setattr(function, _MARK, Handler(event_pattern, priority, function, kind))
            return function
        return marked
    return decorator


observe = _mark("observe")
observe.__doc__ = "A method that is told of an event; what it returns is not looked at."
intercept = _mark("intercept")
intercept.__doc__ = ("A method in the place of all that follows, which it runs itself: "
                     "event_args['next_handler'].invoke(event_args, *args, **kwargs).")
implement = _mark("implement")
implement.__doc__ = "A method whose result is the call's; what follows runs too, and sees it."


class Step:
    """A handler in the chain of one call, with what follows it."""

    def __init__(self, handler, follower):
        self.handler, self.follower = handler, follower

    def invoke(self, event_args: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Runs it and what follows; the result of the call."""
        kind, callback, follower = self.handler.kind, self.handler.callback, self.follower
        if kind == "intercept":
            event_args["next_handler"] = follower
            try:
                return callback(event_args, *args, **kwargs)
            finally:
                event_args.pop("next_handler", None)
        if kind == "observe":
            callback(event_args, *args, **kwargs)
            return follower.invoke(event_args, *args, **kwargs) if follower else None
        result = callback(*args, **kwargs)
        if follower:
            event_args["result"] = result
            follower.invoke(event_args, *args, **kwargs)
            event_args.pop("result", None)
        return result


class Events:
    """The handlers of a provider. Threads: subscribe before the provider is shared."""

    def __init__(self) -> None:
        self.handlers: list[Handler] = []

    def subscribe(self, handler: Handler) -> Handler:
        """Equal priorities run in the order in which they came."""
        handler._events = self
        self.handlers = sorted([*self.handlers, handler], key=lambda h: h.priority)
        return handler

    def unsubscribe(self, handler: Handler) -> None:
        self.handlers = [h for h in self.handlers if h is not handler]
        handler._events = None

    def observe(self, event_pattern: str, priority: int, callback: Callable[..., Any]) -> Handler:
        """callback(event_args, *args, **kwargs) is told of it."""
        return self.subscribe(Handler(event_pattern, priority, callback, "observe"))

    def intercept(self, event_pattern: str, priority: int,
                  callback: Callable[..., Any]) -> Handler:
        """callback(event_args, *args, **kwargs) runs in the place of what follows."""
        return self.subscribe(Handler(event_pattern, priority, callback, "intercept"))

    def implement(self, event_pattern: str, priority: int,
                  callback: Callable[..., Any]) -> Handler:
        """callback(*args, **kwargs) gives the result."""
        return self.subscribe(Handler(event_pattern, priority, callback, "implement"))

    def get_handlers_for_event(self, event: str) -> list[Handler]:
        """In the order in which they run."""
        return [h for h in self.handlers if fnmatch.fnmatchcase(event, h.event_pattern)]

    def dispatch(self, sender: Any, event: str, *args: Any, **kwargs: Any) -> Any:
        """Runs the handlers of an event of the program's own; the result, None without any."""
        return _run(self.get_handlers_for_event(event), sender, event, args, kwargs)

    def call(self, sender, event, main, args, kwargs):
        """The call `main` as an event."""
        chain = [*self.get_handlers_for_event(event), Handler(event, MAIN, main, "implement")]
        return _run(sorted(chain, key=lambda h: h.priority), sender, event, args, kwargs)


def _run(chain, sender, event, args, kwargs):
    step = None
    for handler in reversed(chain):
        step = Step(handler, step)
    return step.invoke({"event": event, "sender": sender}, *args, **kwargs) if step else None


class Middleware:
    """provider.middleware: objects whose marked methods are handlers."""

    def __init__(self, events: Events | None = None) -> None:
        self.events = events or Events()
        self.middleware_list: list[Installed] = []

    def add(self, middleware: Any) -> Installed:
        """Subscribes the methods of an object that observe(), intercept() or implement() marked."""
        made = Installed(middleware, [self.events.subscribe(h) for h in _handlers_of(middleware)])
        self.middleware_list.append(made)
        return made

    def remove(self, middleware: Installed) -> None:
        """What add() returned."""
        for handler in middleware.event_handlers:
            handler.unsubscribe()
        self.middleware_list.remove(middleware)


class Installed:
    """An object whose methods were subscribed."""

    def __init__(self, middleware, handlers):
        self.middleware, self.event_handlers = middleware, handlers


def _handlers_of(middleware):
    """Handlers of its own for one object: the marks are shared by all of its class."""
    for name in dir(type(middleware)):
        mark = getattr(getattr(type(middleware), name, None), _MARK, None)
        if mark is not None:
            yield Handler(mark.event_pattern, mark.priority, getattr(middleware, name),
                          _kind_of(mark))


def _kind_of(mark):
    """Marks of the package pyeventsystem name a class: InterceptingEventHandler."""
    if isinstance(mark, Handler):
        return mark.kind
    name = mark.handler_class.__name__.lower()
    return next(kind for kind in KINDS if name.startswith(kind.rstrip("e")))


def event(method):
    """A method of something with `provider` and `_service_event_pattern` that is an event."""
    @functools.wraps(method)
    def call(self, *args, **kwargs):
        events = self.provider.middleware.events
        if not events.handlers:
            return method(self, *args, **kwargs)
        return events.call(self, f"{self._service_event_pattern}.{method.__name__}",
                          functools.partial(method, self), args, kwargs)
    return call
