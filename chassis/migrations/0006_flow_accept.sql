-- `patchline audit accept`: a person decided about offsets that were stepped over; counting begins anew behind them.
GRANT INSERT, UPDATE (first_offset) ON partition_flow TO patchline_operator;
