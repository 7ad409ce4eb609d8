"""Logs as JSON lines, traces and metrics by OpenTelemetry: every name that a process may use is listed here.

Source: OpenTelemetry semantic conventions for messaging (development status) and HTTP; ours start with `patchline.`.
"""

import json
import logging
import os
import random
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


class Count(StrEnum):
    """Counters. Unit 1 each; the attributes stand behind the name."""

    CONSUMED = "messaging.client.consumed.messages"  # topic, group: records read
    SENT = "messaging.client.sent.messages"  # topic: records acknowledged by Kafka
    DEAD_LETTERED = "patchline.dead_letters"  # topic, group: records that will never work
    BATCHES_REDELIVERED = "patchline.batches.redelivered"  # group: a batch that may work later was put back
    BATCHES_LOST = "patchline.batches.lost"  # group: another consumer had advanced the watermark
    DELIVERIES = "patchline.deliveries"  # vendor, outcome: webhooks answered
    TRANSLATED = "patchline.translated"  # vendor, outcome: what became of raw records
    POLLS = "patchline.polls"  # vendor, outcome: ok, failed, or silent after several failures in a row
    WEBHOOKS_LOST = "patchline.webhooks.lost"  # vendor: what a vendor says itself that it could not deliver
    TIMERS = "patchline.timers"  # group: facts that became true because time passed
    EFFECTS = "patchline.effects"  # kind, outcome: acts on outside systems
    OUTBOUND = "http.client.requests"  # host, outcome
    DRAINED = "patchline.spool.drained"  # topic: deliveries that Kafka did not take in time and has now


class Duration(StrEnum):
    """Histograms, in seconds."""

    BATCH = "messaging.process.duration"  # group: one batch, database commit included
    AGE = "patchline.event.age"  # group: receipt of the delivery until its facts are committed
    SEND = "messaging.client.operation.duration"  # topic: outbox rows read until acknowledged
    OUTBOUND = "http.client.request.duration"  # host
    EFFECT = "patchline.effect.age"  # kind: receipt of the cause until its effect outside was read back


class Level(StrEnum):
    """Gauges: what holds at this moment."""

    SOURCES_AGE = "patchline.sources.age"  # seconds since the snapshot of the sources was last known to be true
    DUPLICATES_LOOKED = "patchline.duplicates.looked"  # seconds since 1970 when the last complete round began
    SPOOLED = "patchline.spool.records"  # deliveries in the spool that Kafka does not have yet
    FOR_PEOPLE = "patchline.for_people"  # kind: how many now wait for a person to mend them
    AUDIT_GAP = "patchline.audit.gap"  # equation, source, group: records that no column of the standing audit has
    AUDIT_LOOKED = "patchline.audit.looked"  # group: seconds since 1970 when it was last judged


_FIELDS: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
_propagator: Final = TraceContextTextMapPropagator()


class JsonLines(logging.Formatter):
    """One JSON object a line: moment, level, logger, message and the fields given with `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for `record`."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in record.__dict__.items() if name not in _FIELDS}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def start(process: str, *, log_level: str, trace_ratio: float) -> None:
    """Set up logs, traces and metrics for this process, once.

    Spans leave over OTLP/HTTP only where `OTEL_EXPORTER_OTLP_ENDPOINT` is set.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=log_level, handlers=[handler], force=True)
    for noisy in ("aiokafka", "httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    resource = Resource.create({SERVICE_NAME: f"patchline-{process}"})
    tracer_provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(trace_ratio)))
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        _export_spans(tracer_provider)
    trace.set_tracer_provider(tracer_provider)
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[PrometheusMetricReader()]))


def _export_spans(provider: TracerProvider) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - 20 MB, rare
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - with it

    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))


class Meters:
    """The counters, histograms and gauges of one process, made on first use."""

    def __init__(self) -> None:
        """Make no instrument yet: the provider may be set later."""
        self._counters: dict[Count, metrics.Counter] = {}
        self._histograms: dict[Duration, metrics.Histogram] = {}
        self._gauges: dict[Level, Any] = {}  # the interface has no public name in the library's API

    def add(self, count: Count, amount: int = 1, **attributes: str) -> None:
        """Add `amount` to a counter."""
        counter = self._counters.get(count)
        if counter is None:
            counter = self._counters[count] = metrics.get_meter("patchline").create_counter(count)
        counter.add(amount, attributes)

    def record(self, duration: Duration, seconds: float, **attributes: str) -> None:
        """Record one duration."""
        histogram = self._histograms.get(duration)
        if histogram is None:
            histogram = metrics.get_meter("patchline").create_histogram(duration, unit="s")
            self._histograms[duration] = histogram
        histogram.record(seconds, attributes)

    def set(self, level: Level, value: float, **attributes: str) -> None:
        """Say what a gauge stands at now."""
        gauge = self._gauges.get(level)
        if gauge is None:
            gauge = self._gauges[level] = metrics.get_meter("patchline").create_gauge(level)
        gauge.set(value, attributes)


METERS: Final = Meters()


def new_traceparent(trace_ratio: float) -> str:
    """Return a W3C trace context for a delivery that came with none; sampled in `trace_ratio` of the cases."""
    drawn = random.getrandbits(192)  # an id, not a secret: asking the kernel for it costs 30 us under load
    flags = "01" if random.random() < trace_ratio else "00"  # noqa: S311
    return f"00-{drawn >> 64 or 1:032x}-{drawn & 0xFFFF_FFFF_FFFF_FFFF or 1:016x}-{flags}"


def link_to(traceparent: str) -> trace.Link:
    """Return a span link to the context that a record carried."""
    context = _propagator.extract({"traceparent": traceparent})
    return trace.Link(trace.get_current_span(context).get_span_context())


def links_to(records: Iterable[Any]) -> list[trace.Link]:
    """Return span links to the first contexts among those of the records that were sampled."""
    contexts = (value for record in records for name, value in record.headers if name == "traceparent")
    sampled = [context.decode("latin-1") for context in contexts if context.endswith(b"-01")]
    return [link_to(context) for context in sampled[:32]]
