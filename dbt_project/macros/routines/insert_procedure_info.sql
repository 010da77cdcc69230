{% macro insert_procedure_info() %}
create or replace procedure dwh.insert_procedure_info()
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $body$
declare
    v_routines cursor for
        select
            routines.oid as routine_oid,
            schemas.nspname as routine_schema,
            routines.proname as routine_name,
            pg_get_function_identity_arguments(routines.oid) as arguments,
            case routines.prokind
                when 'p' then 'procedure'
                when 'a' then 'aggregate'
                when 'w' then 'window function'
                else 'function'
            end as routine_type
        from pg_proc as routines
        inner join pg_namespace as schemas
            on routines.pronamespace = schemas.oid
        where
            schemas.nspname !~ '^pg_'
            and schemas.nspname <> 'information_schema'
            and not exists (
                select 1
                from pg_depend as dependencies
                where
                    dependencies.classid = 'pg_proc'::regclass
                    and dependencies.objid = routines.oid
                    and dependencies.deptype = 'e'
            )
        order by schemas.nspname, routines.proname, routines.oid;
    v_routine record;
    v_error_code text;
    v_error_message text;
    v_context text;
begin
    open v_routines;
    loop
        fetch v_routines into v_routine;
        exit when not found;

        begin
            insert into dwh.stored_routines as known (
                routine_schema, routine_name, routine_type, arguments, definition
            )
            values (
                v_routine.routine_schema,
                v_routine.routine_name,
                v_routine.routine_type,
                v_routine.arguments,
                pg_get_functiondef(v_routine.routine_oid)
            )
            on conflict (routine_schema, routine_name, arguments) do update set
                routine_type = excluded.routine_type,
                definition = excluded.definition,
                recorded_at = excluded.recorded_at;
        exception
            when others then
                get stacked diagnostics
                    v_error_code = returned_sqlstate,
                    v_error_message = message_text,
                    v_context = pg_exception_context;

                call dwh.insert_procedure_error(
                    'dwh.insert_procedure_info',
                    format(
                        '%s %I.%I(%s)',
                        v_routine.routine_type,
                        v_routine.routine_schema,
                        v_routine.routine_name,
                        v_routine.arguments
                    ),
                    v_error_code,
                    v_error_message,
                    v_context
                );
        end;
    end loop;
    close v_routines;
end
$body$;

comment on procedure dwh.insert_procedure_info is
    'Writes the routines of this database to stored_routines, and errors to procedure_errors.';
{% endmacro %}
