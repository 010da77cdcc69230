"""The server that the tests mirror: the embedded MariaDB, or one named by TIDEMARK_TEST_SOURCE."""
