-- As the application created it: without foreign keys and an index on updated_at; the server sets stamps.

create table customers (
    id int not null auto_increment,
    name varchar(100) not null,
    country varchar(60) not null,
    created_at timestamp(6) not null default current_timestamp(6),
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (id)
) engine = innodb;

create table products (
    id int not null auto_increment,
    name varchar(100) not null,
    groupname varchar(60) not null,
    created_at timestamp(6) not null default current_timestamp(6),
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (id)
) engine = innodb;

create table sales (
    id int not null auto_increment,
    customerId int not null,
    productId int not null,
    qty int not null,
    created_at timestamp(6) not null default current_timestamp(6),
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (id)
) engine = innodb;
