-- How long before the window the oldest of the late rows was stamped.

alter table dwh.mirror_verification add column late_by interval;
