"""Who wants to hear what happened: the Protocol, two sinks, and what hands events to them."""

from lamina.events.dispatcher import Dispatcher
from lamina.events.protocol import EventSink
from lamina.events.sinks import BUILTIN, JsonLinesSink, MemorySink

__all__ = ["BUILTIN", "Dispatcher", "EventSink", "JsonLinesSink", "MemorySink"]
