"""Lists that come in pages, each with a link to the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from typing_extensions import override

from azure.core.async_paging import AsyncItemPaged, AsyncList
from azure.core.exceptions import DecodeError

from .._identifiers import absolute, origin, with_query
from .rest import called, decode_object

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from azure.core.pipeline import PipelineResponse
    from azure.core.rest import AsyncHttpResponse, HttpRequest

    from .rest import Operation, RestClient

PageT = TypeVar("PageT", bound="Mapping[str, Any]")
T = TypeVar("T")


def item_paged(
    client: RestClient,
    first_page: Callable[[], Operation[PageT]],
    convert: Callable[[PageT], list[T]],
    *,
    cls: Callable[..., Any] | None = None,
    params: Mapping[str, Any] | None = None,
    **options: Any,
) -> AsyncItemPaged[T]:
    """Return a list that fetches its pages as they are needed. A page's continuation token is the link to it.

    :param client: The client to fetch pages with.
    :param first_page: Makes the request for the first page.
    :param convert: Makes models of what a page holds.
    :keyword cls: Called with the response, the models and the headers of each page: what it returns are the items.
    :keyword params: Query parameters to add to each request.
    :keyword options: Options of each request.
    """

    async def get_next(link: str | None) -> PipelineResponse[HttpRequest, AsyncHttpResponse]:
        # azure-core begins with None, a caller may begin with an empty continuation token.
        if not link:
            return await client.fetch(first_page(), params=params, **options)
        # As every generated Azure client does: the link's own parameters, but the version that this client speaks.
        url = with_query(absolute(link, client.endpoint), {**(params or {}), "api-version": client.api_version})
        try:
            origin(url)
        except ValueError as error:
            raise DecodeError(message="The service sent a page whose 'nextLink' isn't a URL to follow.") from error
        return await client.get(url, **options)

    async def extract_data(
        response: PipelineResponse[HttpRequest, AsyncHttpResponse],
    ) -> tuple[str, AsyncIterator[T]]:
        page = cast("PageT", decode_object(response.http_response))
        link: Any = page.get("nextLink") or None
        if link is not None and type(link) is not str:
            raise DecodeError(message=f"The service sent a page whose 'nextLink' is a {type(link).__name__}.")
        # azure-core types the link as str, but only None ends the list: an empty string would loop for ever.
        return cast("str", link), AsyncList(called(cls, response, convert(page)))

    return ItemPaged(get_next, extract_data)


class ItemPaged(AsyncItemPaged[T]):
    """azure-core's list, but it goes from page to page in a loop: recursion ends after some hundred empty pages."""

    def __init__(self, *page_iterator_arguments: Any) -> None:
        super().__init__(*page_iterator_arguments)
        self._pages = self.by_page()
        self._items: AsyncIterator[T] | None = None

    @override
    async def __anext__(self) -> T:
        while True:
            if self._items is not None:
                try:
                    return await self._items.__anext__()
                except StopAsyncIteration:
                    pass
            self._items = await self._pages.__anext__()
