"""Links between users: who is whose friend, who follows whom."""

from skrec.interactions._links._link_table import LinkSource, LinkTable
from skrec.interactions._links._user_links import UserLinks, check_links, read_links
from skrec.interactions._links._whole import as_whole
