-- As the application created it; the server sets updated_at, on which there is no index.

create table media_files (
    id bigint not null auto_increment,
    s3_path varchar(1024) character set utf8mb3 not null,
    format varchar(5) character set utf8mb3 not null,
    type tinyint not null comment '1 image, 2 video',
    updated_at timestamp not null default current_timestamp on update current_timestamp,
    primary key (id)
) engine = innodb;
