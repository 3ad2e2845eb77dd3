"""Files of rows, whatever wrote them: CSV, JSON lines, workbooks; which column is which field."""
