"""Files of JSON texts, one in each line or one array, and their way into a table by COPY."""
