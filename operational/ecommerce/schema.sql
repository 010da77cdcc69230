-- A web shop. Times are UTC. What the shop pays and asks for a product is in EUR, and each order in its own currency.

create table suppliers (
    supplier_id int not null auto_increment,
    company_name varchar(120) not null,
    contact_name varchar(120) not null,
    email varchar(254) character set ascii not null,
    phone varchar(16) character set ascii not null comment 'E.164',
    country char(2) character set ascii collate ascii_bin not null comment 'ISO 3166-1 alpha-2',
    lead_time smallint not null comment 'days from order to delivery',
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (supplier_id),
    constraint suppliers_phone check (phone regexp '^[+][1-9][0-9]{6,14}$'),
    constraint suppliers_country check (country regexp '^[A-Z]{2}$'),
    constraint suppliers_lead_time check (lead_time between 1 and 120)
) engine = innodb;

create table products (
    product_id int not null auto_increment,
    name varchar(120) not null,
    category varchar(40) not null,
    subcategory varchar(40) not null,
    price decimal(10, 2) not null comment 'EUR',
    cost decimal(10, 2) not null comment 'EUR',
    supplier_id int not null,
    stock_quantity int not null,
    weight decimal(8, 3) not null comment 'kg',
    dimensions varchar(20) character set ascii not null comment 'length x width x height, cm',
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (product_id),
    key products_category (category, subcategory),
    constraint products_supplier foreign key (supplier_id) references suppliers (supplier_id),
    constraint products_price check (price > cost),
    constraint products_cost check (cost > 0),
    constraint products_stock_quantity check (stock_quantity >= 0),
    constraint products_weight check (weight > 0),
    constraint products_dimensions check (dimensions regexp '^[1-9][0-9]{0,3}(x[1-9][0-9]{0,3}){2}$')
) engine = innodb;

create table customers (
    customer_id int not null auto_increment,
    first_name varchar(60) not null,
    last_name varchar(60) not null,
    age tinyint not null,
    email varchar(254) character set ascii not null,
    country char(2) character set ascii collate ascii_bin not null comment 'ISO 3166-1 alpha-2',
    city varchar(80) not null,
    postal_code varchar(12) character set ascii not null,
    phone_number varchar(16) character set ascii comment 'E.164',
    registration_date datetime not null,
    last_login_date datetime comment 'NULL before the first login',
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (customer_id),
    unique key customers_email (email),
    constraint customers_age check (age between 18 and 120),
    constraint customers_email_form check (email regexp '^[^@ ]+@[^@ ]+[.][^@ ]+$'),
    constraint customers_country check (country regexp '^[A-Z]{2}$'),
    constraint customers_phone_number check (phone_number regexp '^[+][1-9][0-9]{6,14}$'),
    constraint customers_last_login_date check (last_login_date >= registration_date)
) engine = innodb;

create table orders (
    order_id int not null auto_increment,
    customer_id int not null,
    order_date datetime not null,
    total_amount decimal(12, 2) not null comment 'the sum of its items, in its currency',
    status enum('pending', 'paid', 'shipped', 'delivered', 'cancelled', 'returned') not null,
    shipping_address varchar(255) not null,
    payment_method enum('card', 'paypal', 'bank_transfer', 'invoice', 'gift_card') not null,
    currency char(3) character set ascii collate ascii_bin not null comment 'ISO 4217',
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (order_id),
    key orders_customer (customer_id, order_date),
    key orders_order_date (order_date),
    constraint orders_customer foreign key (customer_id) references customers (customer_id),
    constraint orders_total_amount check (total_amount >= 0),
    constraint orders_currency check (currency regexp '^[A-Z]{3}$')
) engine = innodb;

create table order_items (
    order_id int not null,
    product_id int not null,
    quantity int not null,
    unit_price decimal(10, 2) not null comment 'in the currency of the order',
    discount_amount decimal(12, 2) not null default 0 comment 'of the whole line, in the currency of the order',
    total_price decimal(12, 2) not null comment 'in the currency of the order',
    primary key (order_id, product_id),
    key order_items_product (product_id),
    constraint order_items_order foreign key (order_id) references orders (order_id),
    constraint order_items_product foreign key (product_id) references products (product_id),
    constraint order_items_quantity check (quantity > 0),
    constraint order_items_unit_price check (unit_price > 0),
    constraint order_items_discount_amount check (discount_amount between 0 and quantity * unit_price),
    constraint order_items_total_price check (total_price = quantity * unit_price - discount_amount)
) engine = innodb;

create table product_reviews (
    review_id int not null auto_increment,
    product_id int not null,
    customer_id int not null,
    rating tinyint not null,
    review_text text comment 'NULL for a rating without words',
    review_date datetime not null,
    updated_at timestamp(6) not null default current_timestamp(6) on update current_timestamp(6),
    primary key (review_id),
    unique key product_reviews_once (customer_id, product_id),
    key product_reviews_product (product_id),
    constraint product_reviews_customer foreign key (customer_id) references customers (customer_id),
    constraint product_reviews_product foreign key (product_id) references products (product_id),
    constraint product_reviews_rating check (rating between 1 and 5)
) engine = innodb;
