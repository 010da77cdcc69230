"""The names of the settings of streams: the broker, and the database that a consumer writes to."""

SETTINGS = {
    "KAFKA_BOOTSTRAP": "the brokers of a Kafka cluster, as host:port, separated by commas; default:"
    " a broker of this checkout, which is started",
    "KAFKA_SECURITY_PROTOCOL": "plaintext, ssl, sasl_plaintext or sasl_ssl; default: with TLS,"
    " unless the brokers are local, and with SASL if KAFKA_SASL_USER is set",
    "KAFKA_SASL_MECHANISM": "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; default SCRAM-SHA-512",
    "KAFKA_SASL_USER": "the account of Kafka",
    "KAFKA_SASL_PASSWORD": "its password (or KAFKA_SASL_PASSWORD_FILE: a file that contains it)",
    "KAFKA_CA_FILE": "a file with the authorities that may have signed the brokers' certificates;"
    " default: those that this machine trusts",
    "KAFKA_CERTIFICATE_FILE": "the certificate by which the client proves who it is; default: none",
    "KAFKA_KEY_FILE": "the private key of that certificate",
    "KAFKA_KEY_PASSWORD": "the password of that key (or KAFKA_KEY_PASSWORD_FILE: a file that"
    " contains it)",
    "STREAM_DATABASE_HOST": "host of the MySQL or MariaDB with the table that the consumer writes;"
    " default: the embedded one",
    "STREAM_DATABASE_PORT": "its port; default 3306",
    "STREAM_DATABASE_USER": "an account on that server for the consumer alone, never"
    " OPERATIONAL_USER",
    "STREAM_DATABASE_PASSWORD": "its password (or STREAM_DATABASE_PASSWORD_FILE: a file that"
    " contains it)",
    "STREAM_DATABASE_NAME": "the database; default ecommerce",
    "STREAM_DATABASE_TLS": "the TLS of connections to it, as OPERATIONAL_TLS",
    "STREAM_DATABASE_TLS_CA": "as OPERATIONAL_TLS_CA",
    "STREAM_RATE": "how many messages the producer sends in a second; default 50",
    "STREAM_BROKEN_PERCENT": "how many percent of them are broken on purpose; default 5",
    "STREAM_RETRY_SECONDS": "for how long a broker or a database that is away is tried again;"
    " default 600",
}
