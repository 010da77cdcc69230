-- What the consumer writes beside the customers of the shop, in the same database.

-- One row per customer of the stream: which version of him was applied last, and which message it was. It outlives
-- the customer, so that an old message does not bring back one who was deleted.
create table if not exists customers_stream (
    customer_id int not null,
    version bigint not null comment 'when the customer changed, in microseconds since 1970',
    topic varchar(249) character set ascii collate ascii_bin not null,
    topic_id varchar(64) character set ascii collate ascii_bin not null,
    partition_number int not null,
    message_offset bigint not null,
    applied_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (customer_id)
) engine = innodb;

-- One row per partition: where the next message to apply stands. A topic that is created again has another id.
create table if not exists customers_stream_offsets (
    topic varchar(249) character set ascii collate ascii_bin not null,
    topic_id varchar(64) character set ascii collate ascii_bin not null,
    partition_number int not null,
    next_offset bigint not null,
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (topic, topic_id, partition_number)
) engine = innodb;

-- One row per invalid message. To mend one, write the text as it should be into mended_message, then replay.
create table if not exists customers_invalid (
    invalid_id bigint not null auto_increment,
    topic varchar(249) character set ascii collate ascii_bin not null,
    topic_id varchar(64) character set ascii collate ascii_bin not null,
    partition_number int not null,
    message_offset bigint not null,
    message longtext character set utf8mb4 not null comment 'bytes that are not UTF-8 as \\xNN',
    reason varchar(120) character set ascii not null comment 'without a value of the message',
    received_at timestamp(6) not null default current_timestamp(6),
    told_at timestamp(6) null comment 'when the topic of dead letters had confirmed the reference',
    mended_message longtext character set utf8mb4,
    replayed_at timestamp(6) null,
    outcome enum('applied', 'superseded') comment 'of the replay',
    primary key (invalid_id),
    unique key customers_invalid_once (topic, topic_id, partition_number, message_offset),
    key customers_invalid_told (told_at)
) engine = innodb
