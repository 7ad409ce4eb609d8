"""What Kafka says: topics, where their logs start and end, where the groups stand, how many dead letters there are."""

from collections import Counter

from aiokafka.admin import AIOKafkaAdminClient

from contracts import topics
from patchline import dlq
from patchline.diagnose.bundle import Files, as_json
from patchline.logs import opened


async def logs(kafka: str) -> Files:
    """Return every declared topic with its partitions, and every group with its committed offsets and lag.

    Raises:
        KafkaError: the cluster cannot be reached.
    """
    async with opened(kafka) as found:
        places = await found.places([each.name for each in topics.every()])
        starts, ends = await found.starts(places), await found.ends(places)
    rows = [
        {"topic": each.topic, "partition": each.partition, "start": starts[each], "end": ends[each]} for each in places
    ]
    groups = []
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        for group, _ in sorted(await admin.list_consumer_groups()):
            for place, committed in (await admin.list_consumer_group_offsets(group)).items():
                lag = ends[place] - committed.offset if place in ends else None
                name = {"group": group, "topic": place.topic, "partition": place.partition}
                groups.append(name | {"committed": committed.offset, "lag": lag})
    finally:
        await admin.close()
    return {"topics.json": as_json(rows), "groups.json": as_json(groups)}


async def dead_letters(kafka: str) -> Files:
    """Return how many dead letters there are of each topic, group and source, by the first words of the reason.

    Raises:
        KafkaError: the cluster cannot be reached.
    """
    counts = Counter(
        (
            letter.headers.get("dlq_topic", ""),
            letter.headers.get("dlq_group", ""),
            letter.source or "",
            letter.headers.get("dlq_reason", "").partition(":")[0][:60],
        )
        for letter in await dlq.read_letters(kafka)
    )
    names = ("topic", "group", "source", "reason")
    rows = [dict(zip(names, key, strict=True)) | {"count": count} for key, count in sorted(counts.items())]
    return {"dead-letters.json": as_json(rows)}
