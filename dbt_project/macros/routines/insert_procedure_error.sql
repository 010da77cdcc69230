{% macro insert_procedure_error() %}
create or replace procedure dwh.insert_procedure_error(
    p_procedure_name text, p_item text, p_error_code text, p_error_message text, p_context text
)
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
begin
    -- sent to the client and written to the server's log at once, whatever becomes of the row
    raise warning '%: %: %', p_procedure_name, p_item, p_error_message
        using errcode = p_error_code;

    insert into dwh.procedure_errors (procedure_name, error_code, error_message, context)
    values (
        p_procedure_name,
        p_error_code,
        p_error_message,
        concat_ws(chr(10), p_item, p_context)
    );
exception
    when insufficient_privilege then
        raise warning '%: %: this error is not in dwh.procedure_errors: %',
            p_procedure_name, p_item, sqlerrm;
end
$body$;

comment on procedure dwh.insert_procedure_error(text, text, text, text, text) is
    'Writes an error that a procedure caught to procedure_errors, and sends it as a warning. The row'
    ' is lost if the transaction of the caller is rolled back.';
{% endmacro %}
