-- Operators publish through the one outbox: what they publish at once may be packed, too.
GRANT INSERT (shard, topic, records, pack) ON outbox_pack TO patchline_operator;
GRANT USAGE ON SEQUENCE outbox_id_seq TO patchline_operator;
