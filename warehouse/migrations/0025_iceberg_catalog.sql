-- The catalog of the tables of Iceberg that exports write: which file has the present metadata of
-- each. Its tables are those of Iceberg's JDBC catalog, which Trino and Spark read too.
create table if not exists mrr_state.iceberg_tables (
    catalog_name text not null,
    table_namespace text not null,
    table_name text not null,
    metadata_location text,
    previous_metadata_location text,
    iceberg_type text,
    primary key (catalog_name, table_namespace, table_name)
);

create table if not exists mrr_state.iceberg_namespace_properties (
    catalog_name text not null,
    namespace text not null,
    property_key text not null,
    property_value text not null,
    primary key (catalog_name, namespace, property_key)
);
