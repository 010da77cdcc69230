"""The cluster of Kafka that a command uses: the one that is set, or the broker of this checkout."""

import embedded
from streaming.settings import Cluster, StreamSettings


def cluster_of(settings: StreamSettings) -> Cluster:
    """The cluster that is set; otherwise the broker of this checkout, which is started."""
    return settings.cluster or Cluster(embedded.start_broker())
