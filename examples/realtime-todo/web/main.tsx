import { MotiaStreamProvider } from '@motiadev/stream-client-react'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { List } from './list'
import './style.css'

const list = new URLSearchParams(location.search).get('list') ?? 'home'

createRoot(document.getElementById('root') ?? document.body).render(
  <StrictMode>
    <MotiaStreamProvider address="/">
      <List name={list} />
    </MotiaStreamProvider>
  </StrictMode>,
)
