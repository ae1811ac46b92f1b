"""Columns by name: found as the session would find them, quoted, refused with a remedy."""

from pyspark.sql import types as T

from imgvec.spark._pyspark import setting

_BINARY_FILE = 'spark.read.format("binaryFile").load(...) gives a column content with the encoded file'


def quoted(name):
    """The name as col() takes it, whatever characters it has."""
    return "`" + name.replace("`", "``") + "`"


# Types that no Spark up to 4.3 sends through Arrow; it would say so without the column's name.
_NOT_ARROW = ("CalendarIntervalType", "YearMonthIntervalType")


def schema_of(df):
    """df.schema. Raises TypeError for what is no DataFrame, and where pyspark has no name for a type (3.5: intervals of the calendar)."""
    if not hasattr(df, "mapInArrow"):
        raise TypeError(f"featurize: {type(df).__name__} is no DataFrame of Spark; without Spark: imgvec.extract(images)")
    try:
        return df.schema
    except ValueError as e:
        raise TypeError(
            f"featurize: read the columns' types: {e}; drop such a column first or cast it to string"
        ) from e


def refuse_types(fields):
    """Raises TypeError for a column that can't travel to the executors' Python."""
    for f in fields:
        problem = _problem(f.dataType, f.nullable)
        if problem:
            raise TypeError(
                f"featurize: column {f.name} has {problem}, which Spark can't hand to Python through Arrow: "
                "drop it first or cast it to string"
            )


def _problem(kind, nullable):
    """What of the type, or of a type within it, can't travel; None where all can."""
    if type(kind).__name__ in _NOT_ARROW:
        return f"the type {kind.simpleString()}"
    if isinstance(kind, T.NullType) and not nullable:
        return "the type void without nulls"
    if isinstance(kind, T.StructType) and len(set(kind.names)) < len(kind.names):
        return f"a struct with the same name twice ({', '.join(kind.names)})"
    return next((p for p in (_problem(*inner) for inner in _within(kind)) if p), None)


def _within(kind):
    if isinstance(kind, T.StructType):
        return [(f.dataType, f.nullable) for f in kind.fields]
    if isinstance(kind, T.ArrayType):
        return [(kind.elementType, kind.containsNull)]
    if isinstance(kind, T.MapType):
        return [(kind.keyType, False), (kind.valueType, kind.valueContainsNull)]
    return []


def wire_names(schema):
    """{name: the name that it travels under}: mapInArrow looks for names with a dot or a backtick within structs."""
    names = {f.name for f in schema.fields}
    out = {}
    for i, f in enumerate(schema.fields):
        out[f.name] = f.name
        while "." in out[f.name] or "`" in out[f.name] or (out[f.name] != f.name and out[f.name] in names):
            out[f.name] = f"imgvec_{i}" if out[f.name] == f.name else out[f.name] + "_"
    return out


class Names:
    """How a session compares names of columns: by letter case or not (spark.sql.caseSensitive)."""

    def __init__(self, session):
        self.exact = setting(session, "spark.sql.caseSensitive", "false") == "true"

    def key(self, name):
        """What two names have in common that mean the same column."""
        return name if self.exact else name.lower()

    def find(self, schema, name):
        """The field of the schema that name means, or None."""
        return next((f for f in schema.fields if self.key(f.name) == self.key(name)), None)

    def refuse_duplicates(self, schema):
        """Raises ValueError where two columns can't be told apart."""
        seen = set()
        for f in schema.fields:
            if self.key(f.name) in seen:
                raise ValueError(
                    f"featurize: the DataFrame has more than one column {f.name}: rename or drop one of them first"
                )
            seen.add(self.key(f.name))


def input_field(schema, names, name):
    """The field that holds the images. Raises ValueError where there is none, or TypeError where it can't be images."""
    if not isinstance(name, str):
        raise TypeError(f"featurize: inputCol is {name!r}, not the name of a column")
    field = names.find(schema, name)
    if field is None:
        raise ValueError(_no_column(schema, names, name))
    if _is_image_struct(field.dataType):
        raise TypeError(
            f"featurize: inputCol {name} is a struct of raw pixels of Spark's image source, not encoded images: "
            + _BINARY_FILE
        )
    input_kind(field)
    return field


def input_kind(field):
    """ "binary" for a column of encoded images, "path" for one of paths. Raises TypeError for any other type."""
    if isinstance(field.dataType, T.BinaryType):
        return "binary"
    if isinstance(field.dataType, T.StringType):
        return "path"
    raise TypeError(
        f"featurize: inputCol {field.name} is {field.dataType.simpleString()}, not binary (encoded images) "
        f"or string (paths of files): {_BINARY_FILE}"
    )


def _no_column(schema, names, name):
    there = ", ".join(f.name for f in schema.fields) or "none"
    head, dot, rest = name.partition(".")
    parent = names.find(schema, head) if dot else None
    if parent is None:
        return f"featurize: no column {name}; there are: {there}. Name the one with the images: inputCol=..."
    if _is_image_struct(parent.dataType):
        return f"featurize: {name} holds raw pixels of Spark's image source, not encoded images: {_BINARY_FILE}"
    remedy = f"df.withColumn({rest.split('.')[-1]!r}, df[{name!r}])"
    return f"featurize: inputCol {name} lies within the column {parent.name}: give it a name first, {remedy}"


def _is_image_struct(kind):
    """Whether this is the struct that spark.read.format("image") makes."""
    return isinstance(kind, T.StructType) and {"height", "width", "nChannels", "mode", "data"} <= set(kind.fieldNames())
