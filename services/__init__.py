"""The five services. They meet only on Kafka, through `contracts`."""
