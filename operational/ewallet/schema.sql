-- As the application created it, in third normal form; the server sets updated_at, on which there is
-- no index. The foreign keys name the database, so that they refer to it wherever a table is made.

create table users (
    user_id int not null auto_increment,
    name varchar(100) not null,
    city varchar(60) null,
    created_at timestamp(6) not null default current_timestamp(6),
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (user_id)
) engine = innodb;

create table merchants (
    merchant_id int not null auto_increment,
    name varchar(100) not null,
    category varchar(60) not null,
    created_at timestamp(6) not null default current_timestamp(6),
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (merchant_id)
) engine = innodb;

create table transactions (
    transaction_id varchar(20) not null,
    user_id int not null,
    merchant_id int not null,
    amount decimal(10,2) not null,
    status varchar(10) not null,
    transaction_time timestamp not null default current_timestamp,
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (transaction_id),
    constraint transactions_user foreign key (user_id) references ewallet.users (user_id),
    constraint transactions_merchant
        foreign key (merchant_id) references ewallet.merchants (merchant_id),
    constraint transactions_status check (status in ('SUCCESS', 'FAILED', 'PENDING'))
) engine = innodb;
