"""Lists that come in pages, each with a link to the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from azure.core.async_paging import AsyncItemPaged, AsyncList
from azure.core.exceptions import DecodeError

from .._identifiers import absolute, origin
from .rest import decode_object, is_list, with_query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping

    from .rest import RestClient

T = TypeVar("T")


def item_paged(
    client: RestClient,
    first_page: Callable[[], Awaitable[Mapping[str, Any]]],
    convert: Callable[[Iterable[Any]], list[T]],
    **options: Any,
) -> AsyncItemPaged[T]:
    """Return a list that fetches its pages as they are needed. A page's continuation token is the link to it.

    :param client: The client to follow links with.
    :param first_page: Fetches the first page.
    :param convert: Makes models of what a page holds.
    :keyword filter: Belongs to the first page only: a link already holds it.
    """
    options.pop("filter", None)

    async def get_next(link: str | None) -> Mapping[str, Any]:
        if link is None:
            return await first_page()
        # As every generated Azure client does: the link's own parameters, but the version that this client speaks.
        url = with_query(absolute(link, client.endpoint), {"api-version": client.api_version})
        try:
            origin(url)
        except ValueError as error:
            raise DecodeError(message="The service sent a page whose 'nextLink' is no URL to follow.") from error
        return decode_object((await client.get(url, **options)).http_response)

    async def extract_data(page: Mapping[str, Any]) -> tuple[str, AsyncIterator[T]]:
        values: Any = page.get("value")
        if values is None:
            values = []
        if not is_list(values):
            raise DecodeError(
                message=f"The service sent a page whose 'value' is a {type(values).__name__}, not a list."
            )
        link: Any = page.get("nextLink") or None
        if link is not None and type(link) is not str:
            raise DecodeError(message=f"The service sent a page whose 'nextLink' is a {type(link).__name__}.")
        # azure-core types the link as str, but only None ends the list: an empty string would loop for ever.
        return cast("str", link), AsyncList(convert(_emptied(values)))

    return AsyncItemPaged(get_next, extract_data)


def _emptied(values: list[Any]) -> Iterator[Any]:
    """Return what a list holds, and let go of each item: a page is not in memory twice, as JSON and as models.

    That is quicker, too: what is freed and used again at once gives the garbage collector nothing to look for.
    """
    values.reverse()
    while values:
        yield values.pop()
