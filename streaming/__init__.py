"""The stream of customers: from a topic of Kafka into the operational table of the web shop."""
