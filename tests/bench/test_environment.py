"""The machine and its versions, as they stand beside the figures."""

import os
from pathlib import Path

import pytest

from bench.environment import environment, kafka_version
from patchline.local import jars


def test_the_version_of_kafka_is_that_of_its_server() -> None:
    listed = "aa  kafka-clients-4.0.0.jar\nbb  kafka-server-common-4.1.0.jar\ncc  kafka-server-4.3.1.jar\n"

    assert kafka_version(listed) == "4.3.1"


def test_a_list_without_a_broker_is_refused() -> None:
    with pytest.raises(ValueError, match="no kafka-server jar"):
        kafka_version("aa  kafka-clients-4.3.1.jar\n")


def test_it_names_the_machine_by_cores_and_memory_and_nothing_else_of_it() -> None:
    found = environment("18.1")
    told = str(found)

    assert found["cores"] == os.cpu_count()
    assert {"Kafka", "PostgreSQL", "Python", "Java", "aiokafka"} <= set(found["versions"])
    assert os.uname().nodename not in told
    assert str(Path.home()) not in told
    assert kafka_version((Path(jars.__file__).parent / "kafka-jars.sha256").read_text()) in told
