"""The limits and defaults of Rekognition's operations.

AWS topic: "Guidelines and quotas in Amazon Rekognition". Nothing here needs the vision packages.
"""

MAX_BYTES = 5 * 1024 * 1024
MAX_S3_BYTES = 15 * 1024 * 1024
MIN_SIDE = 80
MAX_SIDE = 10_000

MAX_LABELS = 1000
DEFAULT_MIN_CONFIDENCE = 55.0
MAX_FILTERS = 100
DEFAULT_DOMINANT_COLORS = 10
MAX_DOMINANT_COLORS = 20

MAX_WORDS = 100
DEFAULT_WORD_CONFIDENCE = 80.0
MAX_REGIONS = 10
MAX_REGION_POINTS = 10
